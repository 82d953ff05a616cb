"""What Claude Code tells of costs and of the plan."""

from bridge.claude.meter import Bill, Meter, Spent


def test_a_total_is_split_into_what_turns_cost() -> None:
    heard: list[Spent] = []
    bill = Bill(Meter(heard.append), "o", "s")
    bill.begin_turn("m")
    bill.told(0.0)  # for a line of history
    bill.request = "1"
    bill.end_turn()
    bill.request = "2"  # which may begin before the cost of the first is told
    bill.told(0.25)
    bill.told(0.25)
    bill.end_turn()  # it calls a function,
    bill.request = "3"
    bill.end_turn()  # and goes on with the result
    bill.told(None)
    bill.told(1.0)
    assert heard == [
        Spent(owner="o", session="s", model="m", cost=0.25, turns=1, requests=("1",)),
        Spent(owner="o", session="s", model="m", cost=0.75, turns=2, requests=("2", "3")),
    ]


def test_the_latest_state_of_each_window_of_the_plan_holds() -> None:
    meter = Meter()
    assert meter.quotas == {}
    meter.hear({"status": "allowed", "rateLimitType": "five_hour", "utilization": 0.5})
    meter.hear({"status": "allowed_warning", "rateLimitType": "seven_day"})
    meter.hear(
        {
            "status": "rejected",
            "rateLimitType": "five_hour",
            "utilization": 1.0,
            "resetsAt": 1_790_000_000,
            "overageStatus": "rejected",
        }
    )
    meter.hear({"status": "allowed"})
    found = {quota.window: (quota.status, quota.utilization) for quota in meter.quotas.values()}
    assert found == {
        "five_hour": ("rejected", 1.0),
        "seven_day": ("allowed_warning", None),
        "unknown": ("allowed", None),
    }
    five = meter.quotas["five_hour"]
    assert (five.resets_at, five.overage_status) == (1_790_000_000, "rejected")
    assert five.told_at > 1_700_000_000
