"""Raw data as users have it, read into manifests: class folders and CSV tables; AI-Hub trees are read by `data.aihub`.

Readers list files and read labels; photos are opened later, once each, by `data.crops`.
"""
