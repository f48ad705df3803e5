"""The parts of skaffold.yaml that are used here, by their names in schema v4beta14."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """The fields of v4beta14 that are used here; Skaffold refuses unknown ones."""

    model_config = ConfigDict(extra="forbid")


class Docker(Section):
    dockerfile: str
    buildArgs: dict[str, str]  # noqa: N815


class Dependencies(Section):
    paths: list[str]
    ignore: list[str]


class Custom(Section):
    buildCommand: str  # noqa: N815
    dependencies: Dependencies


class SyncRule(Section):
    src: str
    dest: str
    strip: str


class Sync(Section):
    manual: list[SyncRule]


class Artifact(Section):
    image: str
    docker: Docker | None = None
    custom: Custom | None = None
    sync: Sync | None = None


class Build(Section):
    artifacts: list[Artifact]
    tagPolicy: dict[str, dict[str, str]] | None = None  # noqa: N815


class Release(Section):
    name: str
    namespace: str
    createNamespace: bool  # noqa: N815
    chartPath: str  # noqa: N815
    skipBuildDependencies: bool  # noqa: N815
    valuesFiles: list[str]  # noqa: N815
    setValueTemplates: dict[str, str]  # noqa: N815


class Helm(Section):
    releases: list[Release]


class Deploy(Section):
    helm: Helm


class Forward(Section):
    resourceType: str  # noqa: N815
    resourceName: str  # noqa: N815
    namespace: str
    port: int
    localPort: int  # noqa: N815


class Patch(Section):
    op: str
    path: str
    value: Any


class Profile(Section):
    name: str
    build: Build | None = None
    patches: list[Patch]
    portForward: list[Forward] = []  # noqa: N815


class Config(Section):
    apiVersion: str = Field(pattern="^skaffold/v4beta14$")  # noqa: N815
    kind: str = Field(pattern="^Config$")
    metadata: dict[str, str]
    build: Build
    deploy: Deploy
    portForward: list[Forward]  # noqa: N815
    profiles: list[Profile]
