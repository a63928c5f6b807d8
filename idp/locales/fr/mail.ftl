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
mail-password-reissued-what = Un administrateur de { $organization } vous envoie de quoi choisir un nouveau mot de passe pour votre compte. Voici le lien, utilisable une seule fois pendant 60 minutes :
mail-password-reissued-if-not = Si vous n’avez rien demandé, ignorez ce message : rien ne change tant que le lien n’a pas servi.
mail-password-compromised-subject = Votre compte est protégé
mail-password-compromised-what = Vous avez signalé une compromission. Tous vos appareils sont déconnectés et l’ancien mot de passe n’ouvre plus rien. Choisissez-en un nouveau par ce lien, utilisable une seule fois pendant 60 minutes :
mail-doubted-passkeys = { $count ->
    [one] Une clé d’accès ajoutée au cours des 30 derniers jours a été retirée.
   *[other] { $count } clés d’accès ajoutées au cours des 30 derniers jours ont été retirées.
}
mail-doubted-apps = { $count ->
    [one] Une application d’authentification ajoutée au cours des 30 derniers jours a été retirée.
   *[other] { $count } applications d’authentification ajoutées au cours des 30 derniers jours ont été retirées.
}
mail-doubted-codes = Les codes de secours créés au cours des 30 derniers jours ne fonctionnent plus.
mail-doubted-again = Si c’étaient les vôtres, remettez-les en place une fois connecté.
mail-password-compromised-elsewhere = Si vous utilisiez ce mot de passe ailleurs, changez-le là aussi.
mail-password-changed-subject = Votre mot de passe a changé
mail-password-changed-what = Le mot de passe de votre compte vient d’être changé.
mail-password-changed-if-not = Si ce n’est pas vous, demandez aussitôt un nouveau lien à cette adresse, puis signalez une compromission depuis votre compte :
mail-password-reminder-subject = Votre mot de passe expire bientôt
mail-password-reminder-what = { $count ->
    [one] Votre mot de passe expire dans { $count } jour.
   *[other] Votre mot de passe expire dans { $count } jours.
}
mail-password-reminder-on = Il cessera de fonctionner le { $date } à 0 h (heure de Paris).
mail-password-reminder-how = Pour en choisir un nouveau sans attendre :
mail-password-suspended-subject = Votre compte est suspendu
mail-password-suspended-what = Votre mot de passe a expiré et n’a pas été renouvelé à temps : votre compte est suspendu. Il sera rétabli dès que vous aurez choisi un nouveau mot de passe :
mail-factor-changed-subject = La connexion à votre compte a changé
mail-factor-app-added = Une application d’authentification vient d’être ajoutée à votre compte.
mail-factor-app-removed = Une application d’authentification vient d’être retirée de votre compte.
mail-factor-passkey-added = Une clé d’accès vient d’être ajoutée à votre compte.
mail-factor-passkey-removed = Une clé d’accès vient d’être retirée de votre compte.
mail-factor-codes-made = De nouveaux codes de secours viennent d’être créés pour votre compte. Les anciens ne fonctionnent plus.
mail-factor-if-not = Si ce n’est pas vous, signalez aussitôt une compromission depuis votre compte :
mail-factor-recovery-used-subject = Un code de secours a servi
mail-factor-recovery-used = Un code de secours vient d’ouvrir votre compte.
mail-factor-recovery-left = { $count ->
    [0] Il n’en reste aucun : créez-en de nouveaux depuis votre compte.
    [one] Il en reste { $count }.
   *[other] Il en reste { $count }.
}
mail-factor-guessed-subject = Quelqu’un connaît-il votre mot de passe ?
mail-factor-guessed = Votre mot de passe vient d’être saisi, puis plusieurs codes faux. Votre compte reste fermé. Si ce n’est pas vous, changez de mot de passe.
mail-factor-removal-asked-subject = Retrait de votre seconde étape demandé
mail-factor-removal-asked = Quelqu’un qui connaît votre mot de passe, sans doute vous, a demandé à retirer la seconde étape de connexion de votre compte.
mail-factor-removal-from = Ce lien le permettra à partir du { $when } :
mail-factor-removal-if-not = Si ce n’est pas vous, ouvrez ce lien maintenant pour arrêter le retrait, puis changez de mot de passe.
mail-factor-removed-subject = Votre seconde étape a été retirée
mail-factor-removed = La seconde étape de connexion de votre compte vient d’être retirée par le lien envoyé à votre adresse.
mail-factor-reset = Le support vient de retirer la seconde étape de connexion de votre compte : application, clés d’accès et codes de secours.
mail-factor-reset-by-organization = Un administrateur de { $organization } vient de retirer la seconde étape de connexion de votre compte : application, clés d’accès et codes de secours.
mail-factor-reset-next = Connectez-vous avec votre mot de passe pour en mettre une autre en place. Si vous n’avez rien demandé, signalez-le sans attendre par le lien qui termine ce message.
mail-dpo-compromise-subject = Compromission de compte signalée
mail-dpo-compromise-what = Une personne signale que quelqu’un d’autre a pu utiliser son compte ou connaître son mot de passe.
mail-dpo-compromise-person = Personne : { $name }
mail-dpo-compromise-organization = Organisation : { $name }
mail-dpo-compromise-done = Ses sessions et ses jetons ont été fermés, son mot de passe retiré, et un lien pour en choisir un nouveau lui a été envoyé.
mail-dpo-kill-switch-subject = Tous les accès d’une organisation ont été fermés
mail-dpo-kill-switch-what = Une organisation a fermé tous ses accès après un incident : { $name }
mail-dpo-kill-switch-people = Comptes concernés : { $count }
mail-dpo-address-restored-subject = Changement d’adresse annulé par le titulaire du compte
mail-dpo-address-restored-what = Une personne a annulé un changement de l’adresse de son compte : quelqu’un d’autre l’a peut-être demandé.
mail-dpo-report-subject = Incident signalé par une organisation
mail-dpo-report-what = Un défaut de sécurité ou un usage abusif d’identifiants est signalé par { $person }.
mail-dpo-report-description = Description :
mail-dpo-queue = Cet incident attend son traitement dans la file du délégué à la protection des données : { $incident }
mail-dpo-unappointed = Aucun délégué à la protection des données n’est désigné ou n’a d’adresse : ce message est adressé aux opérateurs à sa place.
