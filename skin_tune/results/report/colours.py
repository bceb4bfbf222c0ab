"""Colours that mean the same in every figure."""

STATUS_COLOURS = {
    "completed": "#3b82d0",
    "stopped_early": "#8b93a1",
    "interrupted": "#c99a2e",
    "running": "#2f9e6e",
    "diverged": "#d9534f",
}
CHAMPION_COLOUR = "#e0662b"
