"""Settings of the web side, all from the environment (pbxai/env.py reads it).

Nothing set is the embedded default: SQLite, in-process channel layer, Celery over files, keys made
below PBXAI_DATA/keys. DATABASE_URL and REDIS_URL set is production; pbxai/checks.py refuses what
lies between.
"""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key
from django.utils.translation import gettext_lazy as _

from media_worker.contract import MAX_FRAME_BYTES
from pbxai import env, keyfiles, logs, storage
from pbxai.crypto import KeyRingSource
from pbxai.schedule import SCHEDULE

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.own_folder("PBXAI_DATA", BASE_DIR / "var")
KEYS_DIR = DATA_DIR / "keys"

DEBUG = env.flag("PBXAI_DEBUG")
DATABASE_URL = env.optional("DATABASE_URL")
REDIS_URL = env.optional("REDIS_URL")
PRODUCTION = bool(DATABASE_URL or REDIS_URL)

# --- addresses -----------------------------------------------------------------------------------

HTTP_ADDRESS = env.text("PBXAI_HTTP_ADDRESS", "127.0.0.1")
HTTP_PORT = env.port("PBXAI_HTTP_PORT", 8000)
SIP_ADDRESS = env.text("PBXAI_SIP_ADDRESS", "127.0.0.1")
SIP_PORT = env.integer("PBXAI_SIP_PORT", 5060, low=1, high=65534)
SANDBOX_PORT = env.port("PBXAI_SANDBOX_PORT", 8090)
EXTERNAL_URL = env.http_address("PBXAI_EXTERNAL_URL") or f"http://{HTTP_ADDRESS}:{HTTP_PORT}"
PREFIX = urlsplit(EXTERNAL_URL).path
"""The path that all addresses begin with, "/pbxai"; empty for the root."""
FORCE_SCRIPT_NAME = PREFIX or None
ALLOWED_HOSTS = [
    *env.items("PBXAI_ALLOWED_HOSTS"),
    *filter(None, [urlsplit(EXTERNAL_URL).hostname]),
    *([] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"]),
]
CSRF_TRUSTED_ORIGINS = [EXTERNAL_URL.removesuffix(PREFIX)]

# --- keys ----------------------------------------------------------------------------------------


def _secret_key() -> str:
    given = env.optional("PBXAI_SECRET_KEY")
    if given or not PRODUCTION:
        return given or keyfiles.read_or_create(KEYS_DIR / "secret_key", get_random_secret_key)
    raise env.EnvError("Production needs PBXAI_SECRET_KEY or PBXAI_SECRET_KEY_FILE.")


def _keyring() -> KeyRingSource:
    if text := os.environ.get("PBXAI_KEYRING"):
        return KeyRingSource(text=text)
    if file_name := os.environ.get("PBXAI_KEYRING_FILE"):
        return KeyRingSource(path=Path(file_name))
    if PRODUCTION:
        raise env.EnvError("Production needs PBXAI_KEYRING or PBXAI_KEYRING_FILE.")
    return KeyRingSource(path=KEYS_DIR / "keyring", create=True)


SECRET_KEY = _secret_key()
KEYRING = _keyring()

# --- parts ---------------------------------------------------------------------------------------

# Optional: requirements/saml.in.
SAML = find_spec("onelogin") is not None
INSTALLED_APPS = [
    "daphne",
    "tenants.apps.TenantsConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.forms",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    *(["allauth.socialaccount.providers.saml"] if SAML else []),
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "pbxai.doors.permissions_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "pbxai.preferences.preferences_middleware",
    "pbxai.doors.actor_middleware",
    "pbxai.identity.vouched_middleware",
]
ROOT_URLCONF = "pbxai.urls"
ASGI_APPLICATION = "pbxai.asgi.application"
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
        },
    },
]
FORM_RENDERER = "pbxai.forms.FormRenderer"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- storage -------------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database(DATABASE_URL)
    if DATABASE_URL
    else env.sqlite(DATA_DIR / "pbxai.sqlite3")
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, because tests use several threads and processes; a name for each run of the tests.
    DATABASES["default"]["TEST"] = {
        "NAME": Path(tempfile.gettempdir()) / f"pbxai-test-{os.getpid()}.sqlite3"
    }
if REDIS_URL:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
    CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

STATIC_URL = f"{PREFIX}/static/"
STATIC_ROOT = Path(env.text("PBXAI_STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": storage.file_storage(DATA_DIR),
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# The embedded default serves static files from where they lie; production runs collectstatic.
SERVESTATIC_USE_FINDERS = not PRODUCTION
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_MAX_AGE = 60 if PRODUCTION else 0
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- people --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_ADAPTER = "pbxai.accounts.ClosedAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
}
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
SOCIALACCOUNT_ADAPTER = "pbxai.identity.TenantIdentityAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"OAUTH_PKCE_ENABLED": True},
    "saml": {"provider_class": "pbxai.saml.TenantSamlProvider"},
}
# Networks, beside the public ones, that an address which a tenant typed may lead to.
ALLOWED_NETWORKS = [
    *env.networks("PBXAI_ALLOW_NETWORKS"),
    *([] if PRODUCTION else ["127.0.0.0/8", "::1/128"]),
]
MFA_ADAPTER = "pbxai.accounts.SealedMFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "pbxai"
# People are invited by mail or made by the operator; nobody confirms an address once more.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# One code before and after the one of now: clocks of telephones and servers differ by seconds.
MFA_TOTP_TOLERANCE = 1

# --- mail ----------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = env.text(
    "PBXAI_MAIL_FROM", f"pbxai <pbxai@{urlsplit(EXTERNAL_URL).hostname or 'localhost'}>"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
if SMTP_URL := env.optional("PBXAI_SMTP_URL"):
    globals().update(env.smtp(SMTP_URL))
else:
    # Letters lie in a folder of ours, and pages show the links that they hold.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"

# --- the browser ---------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "pbxai_session"
CSRF_COOKIE_NAME = "pbxai_csrf"
# What else the host serves gets none of them.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{PREFIX}/"
HTTPS = EXTERNAL_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # daphne speaks plain HTTP behind a proxy that ends TLS and sets this header.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
# Browsers allow passkeys without TLS on localhost alone.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * MAX_FRAME_BYTES
# Of one token or person, over the REST API.
API_REQUESTS_A_MINUTE = env.integer("PBXAI_API_REQUESTS_A_MINUTE", 600, low=1, high=1_000_000)

# --- languages -----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
# locale/allauth: what allauth says in German with Du, said with Sie.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "allauth"]
USE_I18N = True
FORMAT_MODULE_PATH = "pbxai.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# --- jobs ----------------------------------------------------------------------------------------

CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celery" / "beat")
# How long beat sleeps at most, and so how long it may take to notice that it is to stop.
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = SCHEDULE
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
else:
    CELERY_BROKER_URL = "filesystem://localhost/"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_DIR / "celery" / "queue"),
        "data_folder_out": str(DATA_DIR / "celery" / "queue"),
        "processed_folder": str(DATA_DIR / "celery" / "processed"),
        "control_folder": str(DATA_DIR / "celery" / "control"),
    }
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False

LOGGING_CONFIG = None
logs.configure(debug=DEBUG, machine=PRODUCTION)
