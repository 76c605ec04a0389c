"""What people talk about: each module adds exchanges on one family of subjects."""
