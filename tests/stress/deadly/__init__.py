"""The folder that a process to be killed has in front on its PYTHONPATH: see sitecustomize."""
