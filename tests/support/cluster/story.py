"""What a person would look at first when something is wrong in a namespace."""

from tests.support.cluster.namespace import Namespace, Object, name_of, ready

EVENTS = 25
LINES = 4


def story(namespace: Namespace) -> str:
    """Pods, the last events, and the last lines of what is not well."""
    pods = namespace.pods()
    return "\n".join(
        [
            *(_pod(pod) for pod in pods),
            *_events(namespace),
            *(line for pod in pods for line in _last_words(namespace, pod)),
        ]
    )


def _containers(pod: Object) -> list[Object]:
    status = pod["status"]
    return [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]


def _pod(pod: Object) -> str:
    containers = _containers(pod)
    restarts = sum(each["restartCount"] for each in containers)
    reasons = [
        f"{each['name']}: {state.get('reason')} {state.get('message', '')}"
        for each in containers
        for state in (each["state"].get("waiting"),)
        if state
    ]
    mark = "ready" if ready(pod) else pod["status"].get("phase")
    return " ".join([f"{name_of(pod)}  {mark}, {restarts} restarts", *reasons])


def _events(namespace: Namespace) -> list[str]:
    events = sorted(namespace.find("Event"), key=_when)[-EVENTS:]
    return [
        f"{_when(each)} {each.get('type')} {each['involvedObject']['name']}: "
        f"{each.get('reason')} {each.get('message')}"
        for each in events
    ]


def _when(event: Object) -> str:
    moments = (event.get("lastTimestamp"), event.get("eventTime"))
    return str(next(filter(None, moments), ""))


def _last_words(namespace: Namespace, pod: Object) -> list[str]:
    if ready(pod) or pod["status"].get("phase") == "Succeeded":
        return []
    words = []
    for each in _containers(pod):
        lines = namespace.log(name_of(pod), each["name"], LINES)
        words += [f"{name_of(pod)}/{each['name']}: {line}" for line in lines]
    return words
