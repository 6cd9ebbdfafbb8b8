"""All benchmarks, one after another: `python benchmarks` writes docs/benchmarks.md."""

import platform
from importlib.metadata import version
from pathlib import Path

import memory
import merge
import psutil
import sampler
import torch

import mapping

TITLES = {
    sampler: "Sampling",
    merge: "Merging",
    memory: "Memory and growth, with networks that cost nothing",
    mapping: "Mapping",
}
HEAD = """# Benchmarks

Made by `make bench`. Each ratio is of two things done in the same run, by processor time where nothing else is said:
other programs disturb that little, but a busy machine still shows.

Machine: {machine}.
"""
BY_HAND = "\n## Mosaics larger than memory\n"


def machine() -> str:
    name = torch.cpu.get_capabilities().get("cpu_name", platform.processor())
    cores, memory_gib = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    load = psutil.getloadavg()[0]
    libraries = ", ".join(f"{each} {version(each)}" for each in ("torch", "rasterio", "numba"))
    return (
        f"{name} {platform.machine()}, {cores} processors, {memory_gib:.0f} GiB; {libraries}; "
        f"load of {load:.1f} at the start"
    )


def main() -> None:
    path = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    _, title_by_hand, by_hand = path.read_text("utf-8").partition(BY_HAND)
    text = HEAD.format(machine=machine())
    for module, title in TITLES.items():
        print(title, flush=True)
        text += f"\n## {title}\n\n| what | measured | ratio |\n|---|---|---|\n"
        for row in module.rows():
            print(*row, sep="  |  ", flush=True)
            text += "| " + " | ".join(row) + " |\n"
        path.write_text(text + title_by_hand + by_hand, "utf-8")


if __name__ == "__main__":
    main()
