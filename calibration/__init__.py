"""Representative datasets: reading them, checking them and calibrating activation ranges."""
