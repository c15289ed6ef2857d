"""
What it costs to receive: copra-tx and its peers, fed with the same bytes by the same sender.

``python -m benchmarks`` is the command; ``docs/speed.rst`` says what is measured, and how to read it.

* ``profiles`` says what is sent, ``contestants`` who receives it, ``targets`` what is promised.
* ``corpus``, ``frames``, ``wire``, ``sender``: the process that sends.
* ``client``, ``stopwatch``, ``clients``: the processes that receive. They run in their own environments
  (``environments``), so these modules import nothing but the standard library and the client they drive.
* ``rounds``, ``instructions``: run them, by the clock and under callgrind. ``results`` is the file that this goes to,
  ``figures`` what it comes to.
* ``added``, ``books``, ``decodings``, ``flatness``: what needs no network. ``hotlines`` asks py-spy.
* ``tables``, ``picture``, ``publish``: the results as part of the documentation. ``check``: the small run.
"""
