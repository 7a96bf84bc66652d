"""Event source mappings: what reads a queue and invokes a function with what it finds.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""
