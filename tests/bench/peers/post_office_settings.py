"""Django's settings for the django-post_office peer: PostgreSQL, SMTP, and the batch that suits it best."""

import os

SECRET_KEY = "only for a benchmark on loopback"
INSTALLED_APPS = ["django.contrib.contenttypes", "post_office"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["BENCH_DATABASE"],
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["BENCH_DATABASE_PORT"],
        "CONN_MAX_AGE": 600,
    }
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ["BENCH_SMTP_PORT"])
POST_OFFICE = {
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
    "BATCH_SIZE": int(os.environ["BENCH_BATCH"]),
    "THREADS_PER_PROCESS": int(os.environ["BENCH_THREADS"]),
    "LOG_LEVEL": 0,
}
