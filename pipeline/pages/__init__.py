"""One self-contained HTML page for what a run, or several, came to: no network, no script.

``palette`` and ``style.css`` say how it looks; ``figures`` and ``charts`` draw, ``pictures`` shows
digits, ``page`` fills the templates.
"""

import logging

# matplotlib reports on its caches, which does not concern readers of a page.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
