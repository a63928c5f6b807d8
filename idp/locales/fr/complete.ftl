# Compléter un compte.
complete-title = Complétez votre compte
complete-lead = Ces informations manquent à votre compte.
complete-lead-organizations = Ces informations sont demandées par : { $names }.
complete-submit = Enregistrer et continuer
complete-later = Plus tard
