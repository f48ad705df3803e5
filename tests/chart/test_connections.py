"""All pools together, of all pods that there may be, fit into the database."""

from tests.support.render import Object, Render

SERVICES = ("thought-generator", "memory-service", "safety-validator")


def _pods(release: Render, deployment: Object) -> int:
    """At most, with the one that a rollout adds."""
    name, surge = deployment["metadata"]["name"], 1
    hpa = release.find("HorizontalPodAutoscaler", name)
    if hpa:
        return int(hpa["spec"]["maxReplicas"]) + surge
    scaled = release.find("ScaledObject", name)
    if scaled:
        return int(scaled["spec"]["maxReplicaCount"]) + surge
    return int(deployment["spec"]["replicas"]) + surge


def _wanted(release: Render) -> int:
    total = 0
    clusters = release.of("Cluster")
    # Where one server has both names, reads come to it by pools of their own.
    pools = 2 if any(each["spec"]["instances"] == 1 for each in clusters) else 1
    for service in SERVICES:
        workload = release.of_component(service)
        deployment = release.find("Deployment", workload.name)
        assert deployment
        env = {
            each["name"]: each.get("value") for each in workload.containers[-1]["env"]
        }
        each_pod = int(env["DATABASE_POOL_SIZE"]) * pools
        # memory-service listens for changes on a connection of its own.
        each_pod += service == "memory-service"
        total += _pods(release, deployment) * each_pod
    return total


def _granted(release: Render) -> int | None:
    """What the server is told to take, None where it is somebody else's."""
    for cluster in release.of("Cluster"):
        return int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    if release.settings["postgresql"]["mode"] == "external":
        return None
    found = {
        int(word.removeprefix("max_connections="))
        for workload in release.workloads
        for container in workload.containers
        for word in [*container.get("args", []), *container.get("command", [])]
        if word.startswith("max_connections=")
    }
    assert len(found) == 1, found
    return found.pop()


def test_the_pools_fit(release: Render) -> None:
    """Into what the values say, which is what the server is told."""
    limit = release.settings["postgresql"]["maxConnections"]
    assert _wanted(release) < limit
    assert _granted(release) in {limit, None}
