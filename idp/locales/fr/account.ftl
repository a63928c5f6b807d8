# La page du compte.
account-title = Mon compte
account-name = Nom
account-login = Identifiant
account-email = Adresse électronique
account-password = Changer de mot de passe
account-applications = Mes portails et applications
account-edit-profile = Modifier mon profil ou mon adresse
account-sign-out-device = Déconnecter
account-sign-out-this = Déconnecter { $device }
account-devices = Appareils connectés
account-this-device = Cet appareil
account-sign-out-others = Déconnecter tous les autres appareils
account-compromise = Un problème de sécurité ?
account-compromise-text = Si quelqu’un d’autre a pu utiliser votre compte ou connaître votre mot de passe, signalez-le : tous les appareils et toutes les applications sont déconnectés, et un lien pour choisir un nouveau mot de passe vous est envoyé.
account-compromise-submit = Signaler une compromission
account-security = Clés d’accès, application d’authentification, codes de secours

# Les portails et applications du compte.
account-applications = Mes portails et applications
applications-title = Mes portails et applications
applications-portals = Mes portails
applications-others = Applications que j’ai autorisées
applications-lead = Ces applications ne sont pas les nôtres : c’est vous qui leur avez ouvert l’accès. Si vous le retirez, elles n’apprennent plus rien de vous et devront vous le redemander.
applications-none = Vous n’avez autorisé aucune application.
applications-since = Autorisée le
applications-used = Dernière utilisation
applications-open = Ouvrir { $name }
applications-revoke = Retirer l’accès
applications-done = L’accès est retiré. L’application ne peut plus consulter votre compte.
applications-back = Retour à mon compte
account-compromise-title = Signaler une compromission
account-compromise-else = Si c’était bien vous, il n’y a rien à faire : fermez cette page.
