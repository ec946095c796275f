"""Connections that are cut: between a worker and osiris (tests/plugins/flaky.c), and between mysql.extractor and its server
(tests/mysql/proxy.py), if there is a MariaDB."""

import json
import shutil
import sys

from project import BUILD, Project, Violation, pathlib, step, usual_steps, write

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mysql"))

from private import Private  # noqa: E402
from proxy import Proxy  # noqa: E402

ADAPTERS = {"OSIRIS_ADAPTER_PATH": f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs", "OSIRIS_RESUME_TIMEOUT_MS": "3000",
            "OSIRIS_HEARTBEAT_INTERVAL_MS": "100", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "2000"}
ROWS = 20000


def flaky(project, **options):
    write(project.folder / "osiris.yaml", json.dumps({"adapters": {"far": {"adapter": "flaky", **options}}}))
    project.own |= {"osiris.yaml"}


def cut_worker(campaign, project):
    """A link that comes again is no failure; one that does not, or a worker that is gone, is a clean one."""
    fate = campaign.random.choice(("go_on", "go_on", "never_again", "kill", "silent"))
    seed, after = campaign.random.randrange(1, 1 << 30), campaign.random.randrange(0, 40)
    if fate == "go_on":
        flaky(project, mode="bytes", seed=seed)
    elif fate == "silent":
        flaky(project, silent_after=after)
    else:
        flaky(project, cut_after=after, then=fate)
    with campaign.round(f"a worker's link, {fate}, seed {seed}, after {after} frames", project):
        result = project.run()
        if fate == "go_on" and result.code != 0:
            raise Violation(f"cuts have ended the run: {result}")
        found = project.check(result, next_run=False)
        flaky(project)
        project.check_next()
        campaign.count(f"worker's link, {fate}: " + ("success" if result.code == 0 else "failed, with outputs" if found else "failed"))


class Server:
    """A private MariaDB with a table, and what an export of it gives; `private` is None if there is none."""

    def __init__(self):
        self.private = None
        if shutil.which("mariadbd") is None or not (BUILD / ".libs/mysql.so").exists():
            return
        private = Private()
        private.start()
        self.private = private
        private.sql(f"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100)); INSERT INTO t SELECT seq, REPEAT('x', seq % 100) FROM seq_1_to_{ROWS}")
        self.project = Project(steps=[step("read", "mysql.extractor", "read", connection="@mysql.shop", table="t", batch_size=500,
                                           reconnect_attempts=2),
                                      step("save", "csv.writer", "write", path="out/t.csv", create_dirs=True)], env=private.env)
        self.connect_by(private.env["MYSQL_PORT"])
        self.project.learn()

    def connect_by(self, port):
        fields = self.private.connection(port=int(port))
        write(self.project.folder / "osiris_connections.yaml", json.dumps({"connections": {"mysql": {"shop": fields}}}))
        self.project.own |= {"osiris_connections.yaml"}

    def stop(self):
        if self.private is not None:
            self.project.remove()
            self.private.stop()


def cut_server(campaign, server):
    after, cuts, refuse = campaign.random.randrange(1, 1500000), campaign.random.randrange(1, 5), campaign.random.choice((0, 1, 5))
    project = server.project
    with campaign.round(f"{cuts} connections to a server, cut after {after} bytes, {refuse} refused", project):
        with Proxy(server.private.env, after, cuts, refuse) as proxy:
            server.connect_by(proxy.port)
            result = project.run()
            found = project.check(result, next_run=False)
        server.connect_by(server.private.env["MYSQL_PORT"])
        project.check_next()
        campaign.count("server's connection: " + ("success" if result.code == 0 else "failed, with outputs" if found else "failed"))


def rounds(campaign):
    server = Server()
    link = Project(steps=usual_steps(rows=300, delay_ms=1), env=ADAPTERS, adapter="far")
    try:
        flaky(link)
        link.learn()
        while True:
            cut_worker(campaign, link)
            yield
            if server.private is not None:
                cut_server(campaign, server)
                yield
    finally:
        link.remove()
        server.stop()
