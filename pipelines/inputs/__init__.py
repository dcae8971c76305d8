"""Readers of what users have: folders, audio of every container, f0 tracks, manifests of labels.

Each file that cannot be used ends as an `InputError` with one plain sentence, never as a crash. Nothing
heavy is imported here; decoders live in a child process (`motifdb.pipelines.inputs.decode`).
"""
