"""`farthing doctor`."""

import sys

from app.bootstrap.checks import all_checks
from app.cli import OK, REFUSED
from app.cli.rendering import console, printable
from app.jobs.checkup import Finding, check_up


def run() -> int:
    """Check one thing a line; the exit status says whether all are well."""
    return OK if check_up(all_checks(), show) else REFUSED


def show(finding: Finding) -> None:
    """Print what a check found."""
    console(sys.stdout).print(f"{'ok' if finding.well else 'problem':8} {finding.name}: {printable(finding.words)}")
