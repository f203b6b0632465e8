"""`python -m personastream.samples FOLDER` writes the sample shards and their truth anew."""

from pathlib import Path

import click

from personastream.samples.shards import write_shards


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path))
def main(folder: Path) -> None:
    """Write the sample shards and truth.json into FOLDER."""
    for path in write_shards(folder):
        click.echo(path)


if __name__ == "__main__":
    main(prog_name="python -m personastream.samples")
