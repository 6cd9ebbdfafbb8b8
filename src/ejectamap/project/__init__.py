"""The project folder: its settings, inputs and outputs, and what each method and each kind of network is."""
