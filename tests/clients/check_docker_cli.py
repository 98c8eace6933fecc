"""The docker command line against the played engine."""

import json
import os
import shutil
import subprocess
import time

from clientcheck import check, end, endpoints, skip

TOLD = endpoints()
FIRST, TURBO = "myia-supervisor-1", "myia-turbo-supervisor-1"


def docker(*words, code=0, timeout=60):
    # An empty configuration folder: the machine's own contexts and credentials stay out.
    env = {**os.environ, "DOCKER_HOST": TOLD["engine"], "DOCKER_CONFIG": os.path.dirname(os.path.abspath(__file__)) + "/none"}
    done = subprocess.run(["docker", *words], env=env, capture_output=True, timeout=timeout)
    # Decoded by hand: text mode would break lines at the carriage returns of progress bars.
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, f"status {done.returncode}: {out}{err}"
    return out


if shutil.which("docker") is None:
    skip("docker command line", "no `docker` program on this machine")
    end()


@check("docker version negotiates the API")
def _():
    server = json.loads(docker("version", "--format", "{{json .Server}}"))
    assert server["ApiVersion"] == "1.43", server


@check("docker info counts the containers")
def _():
    assert docker("info", "--format", "{{.ContainersRunning}}").strip() == "3"


@check("docker ps -a lists the site with ports and uptime")
def _():
    rows = [json.loads(line) for line in docker("ps", "-a", "--format", "{{json .}}").splitlines()]
    names = {row["Names"]: row for row in rows}
    assert set(names) == {FIRST, TURBO, "comfyui-candidate"}, names
    assert "Up 21 hours" in names[FIRST]["Status"]
    assert "->17860/tcp" in names[TURBO]["Ports"]


@check("docker ps filters by name and label")
def _():
    assert docker("ps", "-q", "--filter", "name=turbo").count("\n") == 1
    assert docker("ps", "-q", "--filter", "label=com.docker.compose.project=myia").count("\n") == 1


@check("docker inspect shows the declared card")
def _():
    about = json.loads(docker("inspect", TURBO))[0]
    assert about["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["1"]
    assert docker("inspect", "nobody", code=1).strip() == "[]"


@check("docker logs --tail -t gives stamped lines")
def _():
    lines = docker("logs", "--tail", "5", "-t", TURBO).rstrip("\n").split("\n")
    assert len(lines) == 5 and all(line.startswith("20") for line in lines), lines


@check("docker logs holds the three messages of the diagnostic")
def _():
    text = docker("logs", TURBO)
    for known in ("No module named 'ldm'", "FutureWarning", "Basemodel fetch error"):
        assert known in text, known


@check("docker exec runs supervisorctl and passes its exit code")
def _():
    assert "RUNNING" in docker("exec", FIRST, "supervisorctl", "status", "forge")
    docker("exec", FIRST, "supervisorctl", "status", "webui", code=4)
    docker("exec", FIRST, "no-such-program", code=127)


@check("docker exec runs nvidia-smi")
def _():
    line = docker("exec", TURBO, "nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    assert line == "NVIDIA GeForce RTX 3090, 24576 MiB\n", line


@check("docker stats --no-stream measures every container")
def _():
    rows = docker("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}}").splitlines()
    assert len(rows) == 3 and all("GiB" in row for row in rows), rows


@check("docker restart, logs -f and events tell the same story")
def _():
    since = str(int(time.time()))
    env = {**os.environ, "DOCKER_HOST": TOLD["engine"]}
    follow = subprocess.Popen(["docker", "logs", "-f", "--tail", "0", FIRST], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    time.sleep(0.5)
    assert docker("restart", FIRST).strip() == FIRST
    text = follow.communicate(timeout=20)[0]
    assert "SIGTERM" in text, text
    told = docker("events", "--since", since, "--until", str(int(time.time()) + 1), "--filter", f"container={FIRST}", "--format", "{{.Action}}")
    actions = [line for line in told.split("\n") if line in ("kill", "die", "stop", "start", "restart")]
    assert actions == ["kill", "die", "stop", "start", "restart"], actions


@check("docker stop and start change the state")
def _():
    docker("stop", FIRST)
    assert docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", FIRST).strip() == "exited 143"
    docker("start", FIRST)
    assert docker("inspect", "-f", "{{.State.Running}}", FIRST).strip() == "true"


end()
