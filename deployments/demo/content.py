"""What the demo company is: plain data."""

from dataclasses import dataclass

PASSWORD = "admin123"  # noqa: S105 - development only; refused in production


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    role: str
    teams: dict[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    slug: str
    name: str
    team: str
    repository: str
    description: str
    replicas: int


TEAMS = {"payments": "Payments", "storefront": "Storefront"}
PEOPLE = (
    Person("admin", "Ada Okafor", "admin", {}),
    Person("maya", "Maya Lindqvist", "engineer", {"payments": "maintainer", "storefront": "member"}),
    Person("jonas", "Jonas Weber", "engineer", {"storefront": "maintainer", "payments": "member"}),
    Person("priya", "Priya Nair", "viewer", {"payments": "member", "storefront": "member"}),
)
SERVICES = (
    Service("checkout", "Checkout", "payments", "northwind/checkout", "Takes a cart to a paid order in four calls.", 3),
    Service("ledger", "Ledger", "payments", "northwind/ledger", "Double-entry books of every payment.", 2),
    Service("storefront", "Storefront", "storefront", "northwind/storefront", "The shop that customers see.", 2),
)
ENVIRONMENTS = (
    {"name": "development", "position": 1},
    {"name": "staging", "position": 2, "requires": "development", "verify_seconds": 3},
    {"name": "production", "position": 3, "requires": "staging", "verify_seconds": 5, "protected": True},
)
# How releases replace one another where it is not pod by pod.
STRATEGIES = {
    ("storefront", "production"): {
        "type": "canary",
        "steps": [{"weight": 25, "pause_seconds": 5}, {"weight": 50, "pause_seconds": 5}],
    },
    ("checkout", "production"): {"type": "blue_green"},
}

# Where a service runs in a second place of an environment: the namespace there.
SECOND_PLACES = {("ledger", "production"): "production-us"}


@dataclass(frozen=True, slots=True)
class Version:
    """`tag` steers what the sandbox cluster's pods do; `to` are the environments it is sent to, in order."""

    service: str
    version: str
    author: str
    reviewer: str | None
    description: str
    to: tuple[str, ...] = ()
    tag: str = ""
    submitted: bool = True


EVERYWHERE = ("development", "staging", "production")
HISTORY = (
    Version("checkout", "2.3.0", "maya", "jonas", "Apple Pay in the cart.", EVERYWHERE),
    Version("ledger", "1.8.2", "jonas", "maya", "Rounding of refunds in JPY.", EVERYWHERE),
    Version("storefront", "5.1.0", "jonas", "admin", "New product page.", EVERYWHERE),
    Version(
        "checkout",
        "2.4.0",
        "maya",
        "jonas",
        "Retries card payments **once** when the bank times out.\n\n- shorter waits\n- fewer abandoned carts",
        ("development", "staging"),
    ),
    Version(
        "ledger",
        "1.9.0",
        "maya",
        "jonas",
        "Streams postings instead of loading a month at once.",
        ("development",),
        tag="1.9.0-crash",
    ),
    Version("storefront", "5.2.0", "jonas", None, "Search as you type, behind a flag."),
    Version("ledger", "1.9.1", "maya", None, "Fixes the start-up crash of 1.9.0.", submitted=False),
)
COMMENT = "Load-tested with last Friday's traffic: p99 went from 410 ms to **380 ms**."


def manifests(service: Service) -> str:
    return f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: {service.slug}
data:
  LOG_LEVEL: info
---
apiVersion: v1
kind: Service
metadata:
  name: {service.slug}
spec:
  selector:
    app: {service.slug}
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service.slug}
  labels:
    app: {service.slug}
spec:
  replicas: {service.replicas}
  selector:
    matchLabels:
      app: {service.slug}
  template:
    metadata:
      labels:
        app: {service.slug}
    spec:
      containers:
        - name: app
          image: registry.example/northwind/{service.slug}
          ports:
            - containerPort: 8080
          envFrom:
            - configMapRef:
                name: {service.slug}
"""
