"""Which resources a request is about: the ARNs that policies are compared with."""
