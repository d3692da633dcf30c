# What every board's firmware has frozen, besides its own modules and the safe agent.
freeze(".", "recovery.py")
freeze("../../root", "guard.py")
freeze("../../root", "launch.py")
