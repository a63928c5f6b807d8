# Courriels.
mail-new-sign-in-subject = Nouvelle connexion à votre compte
mail-new-sign-in-what = Votre compte vient d’être utilisé depuis un appareil que nous ne connaissions pas encore.
mail-new-sign-in-when = Date : { $when }
mail-new-sign-in-device = Appareil : { $device }
mail-new-sign-in-address = Adresse réseau : { $address }
mail-new-sign-in-if-you = Si c’est bien vous, il n’y a rien à faire.
mail-new-sign-in-if-not = Si ce n’est pas vous, prévenez sans attendre l’administrateur de votre organisation.
mail-password-link-subject = Choisir un nouveau mot de passe
mail-password-link-what = Quelqu’un, sans doute vous, a demandé à choisir un nouveau mot de passe pour votre compte. Voici le lien, utilisable une seule fois pendant 60 minutes :
mail-password-link-if-not = Si ce n’est pas vous, ignorez ce message : votre mot de passe actuel reste valable.
mail-password-expired-subject = Votre mot de passe a expiré
mail-password-expired-what = Votre mot de passe a expiré. Choisissez-en un nouveau par ce lien, utilisable une seule fois pendant 60 minutes :
mail-password-compromised-subject = Votre compte est protégé
mail-password-compromised-what = Vous avez signalé une compromission. Tous vos appareils sont déconnectés et l’ancien mot de passe n’ouvre plus rien. Choisissez-en un nouveau par ce lien, utilisable une seule fois pendant 60 minutes :
mail-password-compromised-elsewhere = Si vous utilisiez ce mot de passe ailleurs, changez-le là aussi.
mail-password-changed-subject = Votre mot de passe a changé
mail-password-changed-what = Le mot de passe de votre compte vient d’être changé.
mail-password-changed-if-not = Si ce n’est pas vous, demandez aussitôt un nouveau lien à cette adresse, puis signalez une compromission depuis votre compte :
mail-password-reminder-subject = Votre mot de passe expire bientôt
mail-password-reminder-what = { $count ->
    [one] Votre mot de passe expire dans { $count } jour.
   *[other] Votre mot de passe expire dans { $count } jours.
}
mail-password-reminder-on = Date d’expiration : le { $date } à minuit (heure de Paris).
mail-password-reminder-how = Pour en choisir un nouveau sans attendre :
mail-password-suspended-subject = Votre compte est suspendu
mail-password-suspended-what = Votre mot de passe a expiré et n’a pas été renouvelé à temps : votre compte est suspendu. Il sera rétabli dès que vous aurez choisi un nouveau mot de passe :
mail-dpo-compromise-subject = Compromission de compte signalée
mail-dpo-compromise-what = Une personne signale que quelqu’un d’autre a pu utiliser son compte ou connaître son mot de passe.
mail-dpo-compromise-person = Personne : { $name }
mail-dpo-compromise-organization = Organisation : { $name }
mail-dpo-compromise-done = Ses sessions et ses jetons ont été fermés, son mot de passe retiré, et un lien pour en choisir un nouveau lui a été envoyé.
