"""Which networks of a project are to be trained, and what each starts from."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ejectamap.errors import BundleError, ProjectError
from ejectamap.networks.bundle import Bundle, load_bundle
from ejectamap.project.bundles import BundleDescription, bundle_folders, read_description, set_aside
from ejectamap.project.folder import Project
from ejectamap.project.lineage import Lineage
from ejectamap.project.network_state import find_changes, present_lineage, shorten
from ejectamap.project.settings import TrainingConfig
from ejectamap.project.splits import read_split
from ejectamap.training.setups import training_setup
from ejectamap.training.sources import Sources, gather_sources


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes
    ----------
    kind : str
        One of `NETWORK_KINDS`.
    number : int
        Index in the ensemble, from 0.
    settings : TrainingConfig
        Section of the settings of this kind.
    """

    kind: str
    number: int
    settings: TrainingConfig

    @property
    def name(self) -> str:
        """Name of the member's bundle."""
        return f"member-{self.number:02d}"

    def folder(self, project: Project) -> Path:
        """Folder of the member's bundle."""
        return project.models / self.kind / self.name


def members(project: Project) -> list[Member]:
    """Networks that the project's method needs, in the order of training."""
    return [
        Member(kind, number, config)
        for kind, config in project.settings.network_configs.items()
        for number in range(config.members)
    ]


@dataclass(frozen=True)
class Job:
    """A network to be trained.

    Attributes
    ----------
    member : Member
    reason : str
        Why it is trained again; empty if it is missing.
    goes_on : bool
        Whether training starts from the present network instead of `training.start_from`.
    """

    member: Member
    reason: str = ""
    goes_on: bool = False


class Plan:
    """What `train` has to do in a project, and what to tell about it.

    A network whose training data have changed is trained further, from its present weights; one whose settings have
    changed, or which is damaged, anew. A network without a lineage (of ejectamap 0.2, or imported) counts as current
    unless its architecture or the split of pairs tells otherwise.

    Attributes
    ----------
    jobs : list of Job
    notes : list of str
        A line each, for a person.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.jobs: list[Job] = []
        self.notes: list[str] = []
        self._unrecorded: list[Member] = []
        self._elsewhere: list[str] = []
        self._lineages: dict[str, Lineage] = {}
        training = project.settings.training
        self._has_data = project.labels is not None or bool(training.also_train_on)
        for member in members(project):
            self._examine(member)
        self._examine_unrecorded()
        self.notes += [*self._job_notes(), *self._extra_members()]
        if self._elsewhere:
            self.notes.append(
                f"{', '.join(self._elsewhere)}: trained on none of this project's craters; kept:"
                f" ejectamap train {project.folder} --fresh trains here"
            )

    @cached_property
    def sources(self) -> Sources:
        """The training pairs with their worlds."""
        return gather_sources(self.project)

    @property
    def lacks_split(self) -> bool:
        """Whether split.csv was deleted, and all networks are known to be of the split that is drawn now."""
        is_known = bool(self._lineages) and not (self._unrecorded or self._elsewhere)
        return self._has_data and is_known and read_split(self.project) is None

    def lineage(self, kind: str) -> Lineage:
        """Lineage of a network of a kind that is trained now, from nothing."""
        if kind not in self._lineages:
            self._lineages[kind] = present_lineage(self.project, kind)
        return self._lineages[kind]

    def _examine(self, member: Member) -> None:
        """Decide about one network."""
        folder = member.folder(self.project)
        if not folder.exists():
            self.jobs.append(Job(member))
            return
        try:
            description = load_bundle(folder).description
        except BundleError:
            if not self._has_data:
                raise
            self.jobs.append(Job(member, "damaged"))
            return
        if not self._has_data:
            return
        changes = find_changes(description.lineage, self.lineage(member.kind))
        if not changes.is_recorded:
            self._unrecorded.append(member)
        elif not changes.is_of_this_project:
            self._elsewhere.append(f"{member.kind}/{member.name}")
        elif changes.settings or changes.of_data:
            self.jobs.append(Job(member, str(changes), goes_on=not changes.settings))

    def _examine_unrecorded(self) -> None:
        """Decide about networks without a lineage, by their architecture and the split of pairs."""
        if not self._unrecorded:
            return
        before, split = read_split(self.project), self.sources.split
        same_split = before is None or before == split
        kept = []
        for member in self._unrecorded:
            folder = member.folder(self.project)
            setup = training_setup(member.kind, self.project, self.sources)
            differing = _differences(read_description(folder), setup.arguments)
            if same_split and not differing:
                kept.append(f"{member.kind}/{member.name}")
                continue
            reason = f"settings changed ({shorten(differing)})" if differing else "labels changed"
            self.jobs.append(Job(member, reason))
        if kept:
            self.notes.append(
                f"{shorten(kept)}: no record of the labels and settings of the training; taken as current:"
                f" ejectamap train {self.project.folder} --fresh trains anew"
            )
        self.jobs.sort(key=lambda job: members(self.project).index(job.member))

    def prepare(self) -> None:
        """Set aside what would count as current once the new split is written.

        Raises
        ------
        ProjectError
            If networks of other methods have no lineage, so that only the split says what they were trained on.
        """
        before, split = read_split(self.project), self.sources.split
        if before is None or before.items() <= split.items():
            return
        for folder in sorted(self.project.models.glob("[!.]*")):
            others = [path for path in bundle_folders(folder) if _is_unrecorded(path)]
            if others and folder.name not in self.project.settings.network_configs:
                raise ProjectError(
                    f"{self.project.split_path}: the split of pairs differs from that of the networks in {folder}:"
                    " train with --fresh, or restore settings and labels"
                )
        for job in self.jobs:
            folder = job.member.folder(self.project)
            if job.member in self._unrecorded and folder.exists():
                set_aside(folder)

    def start(self, job: Job) -> Bundle | None:
        """The present network, if the job goes on from it."""
        return load_bundle(job.member.folder(self.project)) if job.goes_on else None

    def _job_notes(self) -> Iterator[str]:
        """A line for each kind and reason of training again."""
        groups: dict[tuple[str, str, bool], list[str]] = {}
        for job in self.jobs:
            if job.reason:
                key = job.member.kind, job.reason, job.goes_on
                groups.setdefault(key, []).append(job.member.name)
        for (kind, reason, goes_on), names in groups.items():
            how = "training goes on from the present weights" if goes_on else "trained anew"
            yield f"{kind} ({shorten(names)}): {reason}: {how}"

    def _extra_members(self) -> Iterator[str]:
        """A line for each kind with more networks than the settings say."""
        for kind, config in self.project.settings.network_configs.items():
            count = len(bundle_folders(self.project.models / kind))
            if count > config.members:
                yield (
                    f"{self.project.models / kind}: {count} networks, {kind}.members is {config.members}:"
                    " all of them are used; delete those that are not wanted"
                )


def _differences(description: BundleDescription, arguments: dict[str, object]) -> list[str]:
    """Names of arguments of the architecture in which a bundle differs from the settings."""
    network = description.network
    return sorted(
        name for name in network if name in arguments and network[name] != arguments[name]
    )


def _is_unrecorded(bundle: Path) -> bool:
    try:
        return read_description(bundle).lineage is None
    except BundleError:
        return False
