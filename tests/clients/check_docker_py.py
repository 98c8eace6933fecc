"""The Python package `docker` against the played engine."""

import docker
from clientcheck import check, end, endpoints

TOLD = endpoints()
client = docker.DockerClient(base_url=TOLD["engine"], version="auto", timeout=30)
TURBO = "myia-turbo-supervisor-1"


@check("docker-py negotiates and pings")
def _():
    assert client.ping() is True
    assert client.api.api_version == "1.43", client.api.api_version


@check("docker-py lists and filters containers")
def _():
    assert len(client.containers.list(all=True)) == 3
    found = client.containers.list(filters={"label": "com.docker.compose.project=myia-turbo"})
    assert [c.name for c in found] == [TURBO]


@check("docker-py reads logs in frames")
def _():
    text = client.containers.get(TURBO).logs(tail=50).decode()
    assert "Total progress" in text and "\x01\x00" not in text


@check("docker-py runs commands with exit codes")
def _():
    container = client.containers.get(TURBO)
    code, text = container.exec_run(["supervisorctl", "status", "forge"])
    assert code == 0 and b"RUNNING" in text, (code, text)
    code, parts = container.exec_run(["cat", "/no/such/file"], demux=True)
    assert code == 1 and parts[0] is None and b"No such file" in parts[1], (code, parts)


@check("docker-py measures and watches")
def _():
    container = client.containers.get(TURBO)
    assert container.stats(stream=False)["memory_stats"]["usage"] > 0
    events = client.events(decode=True, filters={"container": TURBO})
    container.restart()
    seen = []
    for event in events:
        seen.append(event["Action"])
        if event["Action"] == "restart":
            break
    events.close()
    assert seen == ["kill", "die", "stop", "start", "restart"], seen


@check("docker-py gets Docker's errors")
def _():
    try:
        client.containers.get("nobody")
    except docker.errors.NotFound as error:
        assert "No such container: nobody" in str(error)
    else:
        raise AssertionError("no error")


end()
