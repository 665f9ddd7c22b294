import time
from decimal import Decimal

from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage, Till


def receipt(*costs: str | None, baseline: str | None = "0.0011") -> Receipt:
    lines = tuple(ReceiptLine(Stage.GENERATE, 10, 5, None if cost is None else Decimal(cost), 1.0) for cost in costs)
    return Receipt(lines, NaivePrompt(2103, None if baseline is None else Decimal(baseline)), 4.0)


def test_a_receipt_adds_its_lines_up() -> None:
    bill = receipt("0", "0.0002", "0.0001")
    assert (bill.input_tokens, bill.output_tokens, bill.cost_usd) == (30, 15, Decimal("0.0003"))
    assert bill.saved_usd == Decimal("0.0008")


def test_one_unknown_line_makes_the_whole_cost_unknown() -> None:
    bill = receipt("0", None)
    assert bill.cost_usd is None
    assert bill.saved_usd is None


def test_an_unknown_baseline_makes_the_saving_unknown_but_not_the_cost() -> None:
    bill = receipt("0", baseline=None)
    assert bill.cost_usd == 0
    assert bill.saved_usd is None


def test_a_dearer_answer_saves_a_negative_amount() -> None:
    assert receipt("0.0021").saved_usd == Decimal("-0.0010")


def test_the_till_times_free_steps_in_order() -> None:
    till = Till()
    with till.free(Stage.SEARCH):
        time.sleep(0.01)
    with till.free(Stage.GENERATE):
        pass
    bill = till.settle(NaivePrompt(1, None))
    assert [line.stage for line in bill.lines] == [Stage.SEARCH, Stage.GENERATE]
    assert bill.lines[0].ms >= 10
    assert bill.ms >= sum(line.ms for line in bill.lines)
    assert bill.cost_usd == 0


def test_what_no_line_accounts_for_can_be_written_down_too() -> None:
    till = Till()
    with till.free(Stage.SEARCH):
        time.sleep(0.002)
    time.sleep(0.003)
    till.rest(Stage.CACHE)
    receipt = till.settle(NaivePrompt(0, None))

    assert [line.stage for line in receipt.lines] == [Stage.SEARCH, Stage.CACHE]
    assert 3.0 <= receipt.lines[1].ms <= receipt.ms - 2.0
