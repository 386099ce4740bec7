"""Settings as a process reads them from its environment."""

import json
import os
import subprocess
import sys

READ = "import json; from releasemgr import settings; print(json.dumps(settings.DATABASES['default']['OPTIONS']))"


def test_the_connection_pool_keeps_what_the_database_url_asks_for() -> None:
    environment = os.environ | {"DATABASE_URL": "postgresql://me@db/shop?sslmode=verify-full", "DATABASE_POOL": "true"}
    done = subprocess.run([sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=True)
    options = json.loads(done.stdout)
    assert options["sslmode"] == "verify-full"
    assert options["pool"]["max_size"] > 1
