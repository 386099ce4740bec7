"""Settings as a process reads them from its environment."""

import json
import os
import subprocess
import sys

READ = (
    "import json; from releasemgr import settings; print(json.dumps(settings.DATABASES['default'].get('OPTIONS', {})))"
)
AS_WEB_SERVER = f"import sys; sys.modules['releasemgr.asgi'] = sys; {READ}"


def test_the_connection_pool_keeps_what_the_database_url_asks_for() -> None:
    environment = os.environ | {"DATABASE_URL": "postgresql://me@db/shop?sslmode=verify-full"}
    done = subprocess.run(
        [sys.executable, "-c", AS_WEB_SERVER], env=environment, capture_output=True, text=True, check=True
    )
    options = json.loads(done.stdout)
    assert options["sslmode"] == "verify-full"
    assert options["pool"]["max_size"] > 1


def test_workers_never_pool_connections_because_they_fork() -> None:
    done = subprocess.run([sys.executable, "-c", READ], env=os.environ, capture_output=True, text=True, check=True)
    assert "pool" not in json.loads(done.stdout)
