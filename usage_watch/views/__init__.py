"""WHAT THERE IS TO SHOW: read from the store, put into the words and numbers of people; the same on every screen.

Nothing here prints, nor knows of options, JSON or HTML: that is for whoever shows it. What the command line imports at
its start imports little itself.
"""
