"""An audit beside a line at work tells what has not come yet from what will never come."""

import json
import subprocess

from cluster import BIN, await_state, get
from doors import model, post


def audit(cluster, *options):
    run = subprocess.run([str(BIN / "factory"), "audit", "--database", str(cluster.database), *options],
                         capture_output=True, text=True)
    return run.returncode, run.stdout


def test_what_is_still_in_a_workers_spool_is_pending(start):
    cluster = start(accounting_options=["--audit-grace", "1h"])
    name, worker = model(cluster), cluster.names("inference-worker")[0]
    worker.terminate()
    assert worker.wait() == 0
    # Nobody listens there: what it records stays in its spool.
    worker.arguments[worker.arguments.index("--accounting") + 1] = "tcp://127.0.0.1:9"
    worker.start()
    tokenizer = cluster.names("tokenizer")[0]
    await_state("the worker is back", lambda: cluster.metrics(tokenizer)["tokenfactory_tokenizer_workers"] == 1)
    status, headers, _ = post(cluster, "/v1/completions", {"model": name, "prompt": [1, 2, 3], "max_tokens": 7})
    assert status == 200
    cluster.await_settled(headers["x-operation-id"])
    # The time is long here, so that it is never over; an audit of a line at rest gives none.
    status, text = audit(cluster, "--grace", "3600")
    assert status == 0 and "\npending    1 requests\npending [coverage] row " in text, text
    status, text = audit(cluster, "--grace", "0")
    assert status == 1 and "\nviolation [coverage] row " in text and "\npending    0 requests" in text, text

    def told():
        answer = json.loads(get(cluster.ledger + "/v1/audit")[1])
        return not answer["running"] and answer

    answer = await_state("the reports' door has an audit", told)
    assert (answer["passed"], answer["pending"], len(answer["pending_requests"])) == (True, 1, 1), answer
    # Its spool is adopted when it has gone, and then the ledger is whole.
    worker.kill()
    await_state("the attempt is in the ledger", lambda: audit(cluster, "--grace", "0")[0] == 0)
    assert "\npending    0 requests" in audit(cluster)[1]
