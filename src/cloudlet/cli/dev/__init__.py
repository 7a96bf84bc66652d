"""`cloudlet dev`: work on a function's code and see each change at the next invocation.

project.py   what the folder is: runtime, handler, settings
sam.py       ... or what its SAM template says
copies.py    copies of it, of which only what has changed is copied
session.py   the function, kept in step with the folder
"""
