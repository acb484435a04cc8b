import pytest

from cluster import Cluster


@pytest.fixture
def start(tmp_path):
    """Starts clusters that end with the test, each after an audit of its ledger."""
    clusters = []

    def make(**options):
        folder = tmp_path / f"cluster-{len(clusters)}"
        folder.mkdir()
        cluster = Cluster(folder, **options)
        clusters.append(cluster)
        return cluster

    yield make
    for cluster in clusters:
        cluster.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One simulated cluster for the tests of a module that leave it as they found it."""
    with Cluster(tmp_path_factory.mktemp("shared"), workers=2) as cluster:
        yield cluster
