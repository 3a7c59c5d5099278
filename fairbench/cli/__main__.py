"""``python -m fairbench.cli``: the command line, where the script is not on the path."""

from fairbench.cli import main

main(prog_name="fairbench")
