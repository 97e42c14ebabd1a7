"""The Kubernetes manifests, checked without a cluster: valid, complete, hardened, and free of secrets."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.assembly import GRACE_SECONDS
from gateway.dispatch.readiness import PATIENCE_SECONDS
from gateway.mail_server.listening import inbound_advice
from gateway.settings import EmailSettings, Relay, Settings, read_settings, unknown_settings
from gateway.settings.letters import LetterSettings
from gateway.settings.texts import TextSettings
from gateway.settings.voice import VoiceSettings

K8S = Path(__file__).parents[2] / "k8s"
ROLES = {
    "serve": "serve --host 0.0.0.0 --port 8080",
    "worker-emergency": "work --lane emergency --health-port 8081",
    "worker-standard": "work --lane standard --health-port 8081",
    "worker-bulk": "work --lane bulk --health-port 8081",
    "worker-letters": "work --lane letters --health-port 8081",
    "worker-webhooks": "work --lane webhooks --health-port 8081",
    "clock": "clock --health-port 8081",
    "receive": "receive --host 0.0.0.0 --port 2525 --health-port 8081",
}
SENDERS = ("gateway-worker", "gateway-clock")
BACKGROUND = (*SENDERS, "gateway-receive")
BASE, EXAMPLE = "base", "overlays/example"

Manifest = dict[str, Any]


@cache
def _render(name: str) -> tuple[Manifest, ...]:
    """Give what would be applied; kubectl renders offline."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        missing = pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip
        missing("kubectl is not here: what it would render was not checked")
    command = [kubectl, "kustomize", str(K8S / name)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # a fixed command
    assert run.returncode == 0, run.stderr
    return tuple(yaml.safe_load_all(run.stdout))


def _of_kind(manifests: tuple[Manifest, ...], kind: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == kind}


def _pods(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """Give every pod with the name of the Deployment or Job that makes it."""
    for kind in ("Deployment", "Job"):
        for name, manifest in _of_kind(manifests, kind).items():
            yield name, manifest["spec"]["template"]


def _container(pod: Manifest) -> Manifest:
    (container,) = pod["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.yaml")), ids=lambda path: str(path.relative_to(K8S)))
def test_every_file_is_in_use(path: Path) -> None:
    """Each file is named by the kustomization beside it, so that no manifest is forgotten."""
    kustomization = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    used = [*kustomization["resources"], *(patch.get("path") for patch in kustomization.get("patches", []))]
    assert path.name in {*used, "kustomization.yaml"}


@pytest.mark.parametrize("name", [BASE, EXAMPLE])
def test_manifests_are_valid(name: str) -> None:
    """Kubernetes' own schemas accept every manifest and know every key; KEDA's kinds are not among them."""
    for manifest in _render(name):
        if not manifest["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_every_role_runs() -> None:
    """Each lane has workers of its own, beside the API, the clock and the migration."""
    commands = {name: " ".join(_container(pod)["args"]) for name, pod in _pods(_render(BASE))}
    expected = {f"gateway-{role}": command for role, command in ROLES.items()}
    assert commands == expected | {"gateway-migrate": "migrate"}


@pytest.mark.parametrize("name", [BASE, EXAMPLE])
def test_pods_can_do_little(name: str) -> None:
    """No root, no rights, nothing to write but its mounts, no cluster credentials, limited memory and time."""
    for role, pod in _pods(_render(name)):
        spec, container = pod["spec"], _container(pod)
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        spool = {"/spool"} if name == EXAMPLE and role != "gateway-migrate" else set()
        mounts = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert mounts == {"/tmp", "/app/var"} | spool  # noqa: S108  # mounts
        assert spec["automountServiceAccountToken"] is False
        assert spec["terminationGracePeriodSeconds"] >= GRACE_SECONDS + 10
        for part in ("requests", "limits"):
            assert container["resources"][part].keys() == {"cpu", "memory"}


def test_images_name_a_version() -> None:
    """The overlay chooses the registry; nothing runs whatever happens to be newest."""
    images = {name: {_container(pod)["image"] for _, pod in _pods(_render(name))} for name in (BASE, EXAMPLE)}
    assert images == {
        BASE: {"school-messaging-gateway:0.1.0"},
        EXAMPLE: {"registry.example.org/school-messaging-gateway:0.1.0"},
    }


@pytest.mark.parametrize("name", [BASE, EXAMPLE])
def test_the_settings_are_ones_the_gateway_reads(name: str) -> None:
    """Settings and secrets together make a distributed gateway; Kubernetes adds no variable of its own."""
    (settings,) = _of_kind(_render(name), "ConfigMap").values()
    given = {"GATEWAY_DATABASE_URL": "postgresql://there/gateway", "GATEWAY_REDIS_URL": "redis://there/0"}
    for _, pod in _pods(_render(name)):
        container = _container(pod)
        assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
        assert pod["spec"]["enableServiceLinks"] is False
        secrets = {variable["name"]: "k" * 32 for variable in container["env"]}
        environment = settings["data"] | secrets | given
        assert unknown_settings(environment) == []
        assert not read_settings(environment).embedded


def test_every_secret_has_its_place() -> None:
    """Whatever settings keep out of logs comes from the secret, so that nobody puts it among the others."""
    secret = {
        f"GATEWAY_{start}{field.name}".upper()
        for section, starts in (
            (Settings, [""]),
            (EmailSettings, [""]),
            (TextSettings, [""]),
            (VoiceSettings, [""]),
            (LetterSettings, [""]),
            (Relay, ["smtp_", "smtp2_"]),
        )
        for start in starts
        for field in dataclasses.fields(section)
        if not field.repr
    }
    assert len(secret) == 10
    for _, pod in _pods(_render(BASE)):
        assert secret <= {variable["name"] for variable in _container(pod)["env"]}


@pytest.mark.parametrize("name", [BASE, EXAMPLE])
def test_key_files_are_shown_to_whom_needs_them(name: str) -> None:
    """Those that sign, upload or take mail: never to the API, which anybody reaches; none is needed to begin."""
    for role, pod in _pods(_render(name)):
        keys = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "keys"]
        assert len(keys) == role.startswith(BACKGROUND)
        for volume in keys:
            assert volume["secret"] == {"secretName": "gateway-keys", "optional": True, "defaultMode": 0o440}
            (mount,) = [mount for mount in _container(pod)["volumeMounts"] if mount["name"] == "keys"]
            assert mount == {"name": "keys", "mountPath": "/keys", "readOnly": True}


def test_no_secret_is_written_down() -> None:
    """Secrets are references to one that is made outside; only what every installation needs must be in it."""
    for name in (BASE, EXAMPLE):
        assert _of_kind(_render(name), "Secret") == {}
        (settings,) = _of_kind(_render(name), "ConfigMap").values()
        published = {"GATEWAY_LETTER_SFTP_HOST_KEY"}
        words = ("PASSWORD", "TOKEN", "KEY", "SID", "SECRET")
        assert not [key for key in settings["data"] if key.endswith(words) and key not in published]
        for _, pod in _pods(_render(name)):
            variables = _container(pod)["env"]
            assert all(variable["valueFrom"]["secretKeyRef"]["name"] == "gateway-secrets" for variable in variables)
            needed = {v["name"] for v in variables if not v["valueFrom"]["secretKeyRef"].get("optional")}
            assert needed == {"GATEWAY_DATABASE_URL", "GATEWAY_REDIS_URL", "GATEWAY_SECRET_KEY"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_watched_and_survives_a_lost_node(role: str) -> None:
    """Probes ask the port that the command opens; drains and rollouts take one pod at a time."""
    manifests = _render(BASE)
    deployment = _of_kind(manifests, "Deployment")[f"gateway-{role}"]["spec"]
    container = _container(deployment["template"])
    ports = {port["name"]: port for port in container["ports"]}
    port, metrics = ports["http" if role == "serve" else "health"], ports["metrics"]
    assert str(port["containerPort"]) == ROLES[role].rpartition(" ")[2]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["timeoutSeconds"] > PATIENCE_SECONDS
    (settings,) = _of_kind(manifests, "ConfigMap").values()
    assert metrics == {"name": "metrics", "containerPort": int(settings["data"]["GATEWAY_METRICS_PORT"])}
    annotations = deployment["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == settings["data"]["GATEWAY_METRICS_PORT"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    budget = _of_kind(manifests, "PodDisruptionBudget")[f"gateway-{role}"]["spec"]
    assert budget == {"maxUnavailable": 1, "selector": deployment["selector"]}


def test_requests_reach_the_api() -> None:
    """Ingress, Service and pods agree on names and ports, and an autoscaler says how many pods there are."""
    base, example = _render(BASE), _render(EXAMPLE)
    service = _of_kind(base, "Service")["gateway-serve"]["spec"]
    serve = _of_kind(base, "Deployment")["gateway-serve"]["spec"]
    (rule,) = _of_kind(example, "Ingress")["gateway"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "gateway-serve", "port": {"name": service["ports"][0]["name"]}}
    assert service["selector"].items() <= serve["template"]["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] == _container(serve["template"])["ports"][0]["name"]
    scaler = _of_kind(base, "HorizontalPodAutoscaler")["gateway-serve"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "gateway-serve"
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in serve


def _allowed(name: str, pod: Manifest, direction: str) -> set[int | str]:
    """Give the ports that the network policies for this pod open."""
    ports = set[int | str]()
    for policy in _of_kind(_render(name), "NetworkPolicy").values():
        spec = policy["spec"]
        if _selects(spec["podSelector"], pod["metadata"]["labels"]):
            ports |= {port["port"] for rule in spec.get(direction, []) for port in rule["ports"]}
    return ports


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    one_of = [labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])]
    return selector.get("matchLabels", {}).items() <= labels.items() and all(one_of)


@pytest.mark.parametrize("name", [BASE, EXAMPLE])
def test_nothing_is_open_but_what_is_needed(name: str) -> None:
    """Everyone reaches names, database and broker, who sends reaches providers; API and listener are reached."""
    everyone = _of_kind(_render(name), "NetworkPolicy")["gateway-nothing"]["spec"]
    assert everyone["policyTypes"] == ["Ingress", "Egress"]
    for role, pod in _pods(_render(name)):
        assert everyone["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        providers = {25, 443, 465, 587} if role.startswith(SENDERS) else set()
        text_answers = {443} if role == "gateway-serve" else set()
        prints = name == EXAMPLE and role in ("gateway-worker-letters", "gateway-worker-bulk")
        print_house = {22} if prints else set()
        assert _allowed(name, pod, "egress") == {53, 5432, 6379} | providers | text_answers | print_house
        reached = {"gateway-serve": {"http"}, "gateway-receive": {"smtp"} if name == EXAMPLE else set()}
        assert _allowed(name, pod, "ingress") == {"metrics"} | reached.get(role, set())


@pytest.mark.parametrize("policy", ["gateway-providers", "gateway-text-answers", "gateway-print-house"])
def test_providers_are_out_in_the_world(policy: str) -> None:
    """A webhook or provider address cannot be used to reach the cluster's own machines or the cloud's metadata."""
    (rule,) = _of_kind(_render(EXAMPLE), "NetworkPolicy")[policy]["spec"]["egress"]
    closed = {network for block in rule["to"] for network in block["ipBlock"]["except"]}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= closed


def test_mail_comes_back_where_that_is_wanted() -> None:
    """Without the component nobody listens; with it the Service leads to a port on which two pods do."""
    base, example = _render(BASE), _render(EXAMPLE)
    assert _of_kind(base, "Deployment")["gateway-receive"]["spec"]["replicas"] == 0
    assert "gateway-receive" not in _of_kind(base, "Service")
    receive = _of_kind(example, "Deployment")["gateway-receive"]["spec"]
    assert receive["replicas"] == 2
    service = _of_kind(example, "Service")["gateway-receive"]["spec"]
    (port,) = service["ports"]
    assert port["port"] == 25
    assert service["selector"].items() <= receive["template"]["metadata"]["labels"].items()
    listens = {each["name"]: each["containerPort"] for each in _container(receive["template"])["ports"]}
    assert listens[port["targetPort"]] == 2525
    (settings,) = _of_kind(example, "ConfigMap").values()
    assert inbound_advice(read_settings(settings["data"])) is None


def test_the_spool_is_shared() -> None:
    """What one worker has taken another prints, and the API shows: all see the same claim at the same place."""
    claims = _of_kind(_render(EXAMPLE), "PersistentVolumeClaim")
    assert claims["gateway-letters"]["spec"]["accessModes"] == ["ReadWriteMany"]
    (settings,) = _of_kind(_render(EXAMPLE), "ConfigMap").values()
    spool = read_settings(settings["data"]).letters.letter_spool_dir
    for deployment in _of_kind(_render(EXAMPLE), "Deployment").values():
        pod = deployment["spec"]["template"]
        (volume,) = (volume for volume in pod["spec"]["volumes"] if volume["name"] == "spool")
        assert volume["persistentVolumeClaim"] == {"claimName": "gateway-letters"}
        (mount,) = (mount for mount in _container(pod)["volumeMounts"] if mount["name"] == "spool")
        assert mount["mountPath"] == str(spool)


def test_the_migration_ends() -> None:
    """It tries again a few times, gives up in the end and makes room for the next release."""
    migrate = _of_kind(_render(BASE), "Job")["gateway-migrate"]["spec"]
    assert migrate["template"]["spec"]["restartPolicy"] == "Never"
    assert migrate.keys() >= {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}


def test_workers_follow_their_lanes_queue() -> None:
    """With KEDA each lane's queue sets the number of its workers; without KEDA a fixed number does."""
    assert _of_kind(_render(BASE), "ScaledObject") == {}
    deployments = _of_kind(_render(EXAMPLE), "Deployment")
    scaled = _of_kind(_render(EXAMPLE), "ScaledObject")
    assert scaled.keys() == {name for name in deployments if name.startswith("gateway-worker-")}
    for name, manifest in scaled.items():
        spec = manifest["spec"]
        (trigger,) = spec["triggers"]
        assert spec["scaleTargetRef"]["name"] == name
        assert trigger["type"] == "redis"
        assert trigger["metadata"]["listName"] == f"dramatiq:{name.removeprefix('gateway-worker-')}"
        assert trigger["authenticationRef"]["name"] in _of_kind(_render(EXAMPLE), "TriggerAuthentication")
        assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
        assert "replicas" not in deployments[name]["spec"]


def test_an_emergency_never_waits_for_a_first_worker() -> None:
    """Two emergency workers are always up, scaled by queue or not."""
    assert _of_kind(_render(BASE), "Deployment")["gateway-worker-emergency"]["spec"]["replicas"] >= 2
    assert _of_kind(_render(EXAMPLE), "ScaledObject")["gateway-worker-emergency"]["spec"]["minReplicaCount"] >= 2


def test_the_examples_outbox_outlives_its_pods() -> None:
    """What was written for want of a provider lies on a claim that all pods share."""
    claims = _of_kind(_render(EXAMPLE), "PersistentVolumeClaim")
    assert claims["gateway-outbox"]["spec"]["accessModes"] == ["ReadWriteMany"]
    for deployment in _of_kind(_render(EXAMPLE), "Deployment").values():
        (var,) = (volume for volume in deployment["spec"]["template"]["spec"]["volumes"] if volume["name"] == "var")
        assert var == {"name": "var", "persistentVolumeClaim": {"claimName": "gateway-outbox"}}
