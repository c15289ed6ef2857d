"""What differs between Coinbase's feeds: channels, requests, signatures, the meaning of messages. No I/O."""
