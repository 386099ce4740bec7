"""One settings file, driven by environment variables; every one is optional in development (see README)."""

import sys
from datetime import timedelta
from pathlib import Path

import environ
from csp.constants import NONE, SELF

from releasemgr.core.logging import logging_config
from releasemgr.embedded import running_url

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / ".local"
VERSION = "0.1.0"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env.local")

ENVIRONMENT = env.str("ENVIRONMENT", "development")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("DEBUG", default=False)
DEVELOPMENT_SECRET_KEY = "development-only-secret-key-never-used-in-production"  # noqa: S105 - refused in production
SECRET_KEY = env.str("SECRET_KEY", DEVELOPMENT_SECRET_KEY)
# 32 zero bytes: lets development decrypt what it stored; `releasemgr.core.checks` refuses it in production.
DEVELOPMENT_ENCRYPTION_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[DEVELOPMENT_ENCRYPTION_KEY])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["*"])
CSRF_FAILURE_VIEW = "releasemgr.fallbacks.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_q",
    "channels",
    "guardian",
    "knox",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "heroicons",
    "releasemgr.core",
    "audit",
    "accounts",
    "releases",
    "deployments",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "audit.middleware.RequestContextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "releasemgr.core.htmx.DomainErrorMiddleware",
]

ROOT_URLCONF = "releasemgr.urls"
ASGI_APPLICATION = "releasemgr.asgi.application"
WSGI_APPLICATION = "releasemgr.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["releasemgr.core.templatetags.ui"],
        },
    },
]

DATABASES = {
    "default": env.db_url_config(
        env.str("DATABASE_URL", "")
        or running_url(STATE_DIR / "pg18")
        or "postgresql://releasemgr@127.0.0.1:5432/releasemgr"
    )
    | {"CONN_HEALTH_CHECKS": True, "TEST": {"NAME": env.str("TEST_DATABASE", "test_releasemgr")}}
}
if "releasemgr.asgi" in sys.modules:
    # The web server: every request runs in a thread of its own there, so a connection kept by a thread is never used
    # again. Workers fork, and a pool does not survive that, so no environment variable may bring one to them.
    # Added to what DATABASE_URL asks for, such as sslmode=require.
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options["pool"] = {"min_size": 1, "max_size": 20, "timeout": 10}
    # A search through a large log must not hold a connection for ever.
    options.setdefault("options", "-c statement_timeout=15000")
else:
    # At 0 each enqueue reconnects: twelve times slower.
    DATABASES["default"]["CONN_MAX_AGE"] = 600
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
ANONYMOUS_USER_NAME = None
GUARDIAN_GET_INIT_ANONYMOUS_USER = "guardian.management.get_init_anonymous_user"
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "board"
LOGOUT_REDIRECT_URL = "accounts:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Failed logins allowed within the window, for one account from one address, one account, one address.
LOGIN_THROTTLE = {"account_address": 5, "account": 20, "address": 50, "window_seconds": 300}

KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 - a model name
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Token",
    "TOKEN_TTL": timedelta(hours=12),
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "AUTO_REFRESH": False,
}

REDIS_URL = env.str("REDIS_URL", "")
Q_CLUSTER = {
    "name": "releasemgr",
    "workers": env.int("WORKERS", 2),
    # A tick gives its worker back before the time-out; a killed worker's task runs again after `retry`.
    "timeout": 55,
    "retry": 60,
    "poll": 1,
    "guard_cycle": 1,
    "recycle": 500,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": -1,
    "queue_limit": 2,
    "bulk": 2,
    "label": "Tasks",
} | ({"redis": REDIS_URL} if REDIS_URL else {"orm": "default", "broker_class": "releasemgr.core.broker.PostgresBroker"})
CHANNEL_LAYERS = {
    "default": (
        {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
        if REDIS_URL
        else {"BACKEND": "releasemgr.core.channel_layer.PostgresChannelLayer"}
    )
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "releasemgr.core.api.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "releasemgr.core.api.handle_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Release Manager",
    "DESCRIPTION": "Releases, approvals, deployments and rollbacks on Kubernetes.",
    "VERSION": VERSION,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Its validator badge is an image from elsewhere.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True, "validatorUrl": None},
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "accounts.models.Role",
        "TeamRoleEnum": "accounts.models.TeamRole",
        "ReleaseStatusEnum": "releases.statuses.ReleaseStatus",
        "DeploymentStatusEnum": "deployments.statuses.DeploymentStatus",
        "DeploymentKindEnum": "deployments.statuses.DeploymentKind",
        "StepStatusEnum": "deployments.statuses.StepStatus",
        "TrainStatusEnum": "deployments.serializers.trains.STATES",
        "StepNameEnum": "deployments.statuses.StepName",
        "TargetKindEnum": "deployments.models.places.TargetKind",
        "CheckKindEnum": "deployments.statuses.CheckKind",
        "VerdictEnum": "deployments.statuses.Verdict",
        "BakeStatusEnum": "deployments.statuses.BakeStatus",
    },
}
# Largest request body in bytes: a release's manifests fit, a 10 MB body is refused before it is read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
# Elsewhere files are served from where they lie; whitenoise warns about a folder that is not there.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
# Whether other names of the domain follow is its owner's decision, and hard to take back.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^api/v1/(health|ready|metrics)$"]
# Addresses or networks of reverse proxies whose X-Forwarded-For may be believed; empty: nobody's.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Who may read /api/v1/metrics: networks, or the holder of the scrape token.
METRICS_NETWORKS = env.list("METRICS_NETWORKS", default=["127.0.0.0/8", "::1/128"])
METRICS_TOKEN = env.str("METRICS_TOKEN", "")

K8S_NAMESPACE = env.str("K8S_NAMESPACE", "default")

# Host names and networks that HTTP checks may ask beside the public internet (`deployments.health.addresses`).
CHECK_ALLOWED_HOSTS = env.list("CHECK_ALLOWED_HOSTS", default=[])
PROMETHEUS_URL = env.str("PROMETHEUS_URL", "")
# The labels by which Alertmanager's alerts name an application (its slug) and an environment.
ALERT_APPLICATION_LABEL = env.str("ALERT_APPLICATION_LABEL", "application")
ALERT_ENVIRONMENT_LABEL = env.str("ALERT_ENVIRONMENT_LABEL", "environment")

LOGGING = logging_config(human_readable=not PRODUCTION, level=env.str("LOG_LEVEL", "INFO"))
LOGGING_CONFIG = "logging.config.dictConfig"
