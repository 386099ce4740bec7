"""`helm upgrade --install --wait` as a command: chart, kubeconfig, namespace, release, image, replicas."""

import sys

import helm_python as helm


def main() -> None:
    archive, kubeconfig, namespace, release, image, replicas = sys.argv[1:]
    values = {"image": image, "replicas": int(replicas)}
    with (
        helm.Chart.load(archive) as chart,
        helm.Config(kubeconfig_path=kubeconfig, namespace=namespace) as config,
    ):
        try:
            config.history(release)
        except helm.HelmNotFoundError:
            config.install(chart, release, values, wait="watcher", timeout=60)
        else:
            config.upgrade(chart, release, values, wait="watcher", timeout=60)


if __name__ == "__main__":
    main()
