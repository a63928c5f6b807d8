# Activer un compte.
activation-title = Activer votre compte
activation-hello = Bonjour { $name }.
activation-from = { $name } vous a préparé un compte.
activation-lead = Choisissez votre mot de passe pour entrer.
activation-login = Votre identifiant
activation-accept = Mon compte est personnel : je ne donne mon identifiant et mon mot de passe à personne.
activation-not-accepted = Cochez cette case pour continuer.
activation-submit = Activer mon compte
activation-over-title = Ce lien ne fonctionne plus
activation-over-text = Il a déjà servi, ou son délai est passé. Si votre compte n’est pas encore activé, demandez un nouveau lien avec votre adresse électronique.
activation-over-link = Recevoir un nouveau lien
activation-phone-number = Numéro de téléphone
activation-birthdate = Date de naissance
activation-missing-given-name = Indiquez votre prénom tel qu’il est, sans adresse ni signes particuliers.
activation-missing-family-name = Indiquez votre nom tel qu’il est, sans adresse ni signes particuliers.
activation-missing-phone-number = Indiquez votre numéro de téléphone, par exemple 06 12 34 56 78, ou +32 470 12 34 56 depuis l’étranger.
activation-missing-birthdate = Indiquez votre date de naissance.
