"""Ingest over a cluster whose second node may not open the folders of corpus and database; run as a program.

    python -m tests.pipelines.two_nodes CORPUS DATABASE

The first node, where the driver is, has no CPUs, so all work is done on the second one, where every worker has
an audit hook (see `sitecustomize.py`, which this writes) that refuses to open anything below the two folders.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOOK = """
import os, sys
denied = [os.path.realpath(p) for p in os.environ.get("MOTIFDB_TEST_DENIED", "").split(os.pathsep) if p]
if denied:
    def refuse(event, args):
        if event in ("open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.mkdir"):
            for arg in args[:2]:
                if isinstance(arg, (str, bytes)):
                    path = os.path.realpath(os.fsdecode(arg))
                    if any(path == d or path.startswith(d + os.sep) for d in denied):
                        raise PermissionError(f"this node may not open {path}")
    sys.addaudithook(refuse)
"""


def main() -> None:
    """Start two nodes, ingest, say where the work was done."""
    corpus, db = Path(sys.argv[1]), Path(sys.argv[2])
    site = db.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(HOOK)
    here = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), here])
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    denied = os.pathsep.join([str(corpus), str(db)])
    cluster.add_node(num_cpus=2, env_vars={"MOTIFDB_TEST_DENIED": denied})
    try:
        import ray

        from tests.pipelines.small import run

        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)

        @ray.remote(num_cpus=1)  # type: ignore[untyped-decorator]
        def look() -> str:
            try:
                return ",".join(os.listdir(corpus))
            except PermissionError:
                return "denied"

        assert ray.get(look.remote()) == "denied", "the second node can see the corpus"
        report = run(db, corpus, metadata=corpus / "manifest.csv", engine="ray", ray_address=cluster.address)
        print(f"worked {report.n_worked} failed {report.n_failed} engine {report.engine}")
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
