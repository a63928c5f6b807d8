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
