"""
The clients under test: a function for each, in a module for each library.

All do the same: connect, verify the certificate if there is one, subscribe, decode each message to a dict, and call a
callback written in Python, that of ``stopwatch``.
"""

SUBSCRIBE = (
    '{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],'
    '"channels":["heartbeat","level2_batch","matches","ticker"]}'
)
