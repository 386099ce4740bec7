"""How measurements become figures, and figures a verdict."""

from tests.bench.figures import Figure, p95, table


def test_seconds_are_shown_as_milliseconds_with_median_and_p95() -> None:
    figure = Figure.of("hand-over", [n / 1000 for n in range(1, 101)], aim=300)

    assert (round(figure.median, 3), round(figure.p95 or 0, 2)) == (50.5, 95.05)


def test_a_single_measurement_is_its_own_p95() -> None:
    assert p95([0.2]) == 0.2


def test_an_aim_is_met_or_missed_by_what_it_judges() -> None:
    assert Figure.of("p95", [0.1, 0.1, 0.9], aim=300).is_met is False
    assert Figure.of("ratio", [1.0], [0.9], aim=1.5, judged="ratio").is_met is True
    assert Figure("tasks", "1/s", 500, aim=400, judged="median", more_is_better=True).is_met is True
    assert Figure.of("nothing asked", [1.0]).is_met is None


def test_there_is_no_ratio_to_a_peer_that_ended_before_the_start() -> None:
    assert Figure.of("settled", [0.1], [-0.01]).ratio is None


def test_the_table_has_a_line_for_each_figure_and_names_what_was_missed() -> None:
    slow, fast = Figure.of("slow", [0.5], aim=300), Figure.of("fast", [0.1], aim=300)
    lines = table({"speed": [slow], "train": [fast]}).splitlines()

    assert lines[2] == "speed:"
    assert lines[3].startswith("slow [ms]") and lines[3].endswith("MISSED")
    assert lines[5].endswith("met")
