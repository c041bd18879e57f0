"""Pages for a browser: a report as one file that works offline, and the same page live.

Both have one front end (`assets/`: JavaScript and CSS as they are read, without a build step) and differ in
where it gets its data: from the file itself (`embed`, `report`), or from a server on this machine (`server`).
Charts are Vega-Lite specifications (`charts`), drawn to SVG beforehand, so that no page runs scripts of
others.
"""
