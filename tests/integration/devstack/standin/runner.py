"""The runner over stand-ins: `claude-agi` but for the commands of the services."""

import sys
from dataclasses import replace
from pathlib import Path

from devstack.main import run
from devstack.services import SERVICES

HERE = Path(__file__).parent
# For `standin.migrations`, as the services' packages are for the real runner.
sys.path.insert(0, str(HERE.parent))

run(
    [
        replace(
            service,
            package="standin",
            command=(sys.executable, HERE / "service.py", service.name),
        )
        for service in SERVICES
    ]
)
