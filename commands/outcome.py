"""What commands share: exit codes and the names that options offer, without importing what they stand for.

Rules: these are copies of names that live further down (a test holds them equal), so that `--help` loads nothing heavy.
"""

EXIT_FAILURE = 1
EXIT_NOTHING = 3
EXIT_CONDITION = 10

CONDITION_NAMES = ("synthetic", "undisclosed", "tampered", "contested", "unreadable")
