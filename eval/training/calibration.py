"""Learn the answer cache's calibration that is shipped, from the wordings of two handbooks' questions.

python -m eval.training.calibration ../shared/data [--out app/caching/rules/calibration.json]
"""

import argparse
import json
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.costs.confidence import share_at_least
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.calibration.learning import calibrate
from eval.calibration.pairs import AskedWording, ask_wordings, load_wordings, propose_all, wordings_of
from eval.datasets.handbooks.authored import authored_rows

HANDBOOKS: Final = ("handbook-18f", "handbook-gitlab")


def ask_handbook(settings: Settings, data: Path, name: str) -> list[AskedWording]:
    """Every wording of a handbook's questions, and of our own over its pages. Raises as `ask_wordings`."""
    wordings = load_wordings(data / name)
    known = {one.answer_id for one in wordings}  # a fetched handbook's own file has them already
    wordings += [wording for row in authored_rows(name) if row["id"] not in known for wording in wordings_of(row)]
    return ask_wordings(settings, data / name, wordings)


def main() -> None:
    """Learn from both handbooks, print the bands, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds " + " and ".join(HANDBOOKS))
    parser.add_argument("--out", type=Path, default=Path("app/caching/rules/calibration.json"))
    arguments = parser.parse_args()
    console = Console(width=120)
    settings = load_settings()
    prepare_home(settings.home)
    pairs = [pair for name in HANDBOOKS for pair in propose_all(ask_handbook(settings, arguments.data, name))]
    learned = calibrate(pairs)
    table = Table(title="proposals that no rule drops, by what a mix learned from other questions says")
    for column in ("probability from", "questions", "right", "share", "lower bound"):
        table.add_column(column)
    for band in learned.bands:
        share = f"{band.right / band.asked:.1%}" if band.asked else ""
        table.add_row(f"{band.lowest}", f"{band.asked}", f"{band.right}", share, f"{share_at_least(band.right, band.asked):.1%}")
    console.print(table)
    made_by = {"made_by": "python -m eval.training.calibration ../shared/data"}
    arguments.out.write_text(json.dumps({**made_by, **learned.to_json()}, indent=2) + "\n", encoding="utf-8")
    console.print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
