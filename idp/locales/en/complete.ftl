# Completing an account.
complete-title = Complete your account
complete-lead = This is missing from your account.
complete-lead-organizations = This is asked by: { $names }.
complete-submit = Save and continue
complete-later = Later
