"""Opens a page to play with trained models: draw, rub out, and watch completions appear.

    python scripts/demo.py
    python scripts/demo.py --preset=hmc_dlgm_digits --port=8000 --nobrowser
    python scripts/demo.py --workdir=runs/photos

The page shows several completions at once while their chains move, their mean and standard
deviation by pixel, samples, walks between two images in latent space, and of models that know
classes these and every class in the style of an image. It tells the Python that gives the same. The
server behind it is that of the program `serve`, with the same flags.
"""

from absl import flags

from zoo.runs import cli
from zoo.runs.served_models import define_server

MAKE_SERVER = define_server(8765, ("hmc_dlgm_mnist", "m1_m2_mnist", "vae_mnist"))
BROWSER = flags.DEFINE_boolean("browser", True, "Whether the page is opened in a browser.")

if __name__ == "__main__":
    cli.parse()

import threading
import webbrowser


def main() -> None:
    app, where = MAKE_SERVER()
    from zoo.serving import demo, server  # once it is known that their packages are there

    demo.add_page(app)

    def tell(address):
        print(f"{address}/demo/ is open until Ctrl-C", flush=True)
        if BROWSER.value:
            # Some browsers end before this goes on, and the page comes from here.
            threading.Thread(
                target=webbrowser.open, args=(f"{address}/demo/",), daemon=True
            ).start()

    server.serve(app, **where, on_start=tell)


if __name__ == "__main__":
    cli.run(main)
