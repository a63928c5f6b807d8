# La page du compte.
account-title = Mon compte
account-name = Nom
account-login = Identifiant
account-email = Adresse électronique
account-password = Changer de mot de passe par un lien envoyé à mon adresse
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
